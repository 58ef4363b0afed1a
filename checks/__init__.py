"""The book's quick gates: they read files, run nothing, and name the file and line at fault.

``python -m checks.parity``        both languages say the same things in the same places
``python -m checks.fingerprints``  no section changed without its twin
``python -m checks.notebooks``     every notebook was run in order and holds what it shows
``python -m checks.links``         every link inside the built site leads somewhere
"""
