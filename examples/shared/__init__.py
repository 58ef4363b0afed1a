"""What every chapter may use. Standard library only; copy it beside any chapter folder of the book."""
