// Pagefind loads its index with fetch, which browsers refuse on file:// pages.
if (location.protocol === "file:") {
  document.getElementById("search-needs-server").hidden = false;
} else {
  addEventListener("DOMContentLoaded", () => {
    const search = new PagefindUI({
      element: "#book-search",
      showSubResults: true,
      showImages: false,
    });
    const query = new URLSearchParams(location.search).get("q");
    if (query) search.triggerSearch(query);
    document.querySelector("#book-search input").focus();
  });
}
