// The language switch keeps the section in view: anchors are the same in both languages.
(() => {
  const sectionInView = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const top = target?.getBoundingClientRect().top;
    // A short last section never reaches the top of the window, so its link is trusted.
    if (top >= 0 && top < innerHeight * 0.75) return target.closest("section[id]");
    // The outermost section is the page itself and needs no anchor.
    const sections = [...document.querySelectorAll("article section section[id]")];
    // A section that was jumped to stops below the header, about 80 pixels from the top.
    const line = Math.max(120, innerHeight * 0.25);
    return sections.findLast((section) => section.getBoundingClientRect().top < line);
  };
  const keepSection = (event) => {
    const link = event.target.closest?.("a.language-switch");
    if (link) link.hash = sectionInView()?.id ?? "";
  };
  for (const kind of ["click", "auxclick", "contextmenu"]) {
    document.addEventListener(kind, keepSection, true);
  }
})();
