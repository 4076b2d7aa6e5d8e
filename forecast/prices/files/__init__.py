"""Price files as people have them: exports, downloads and caches, read by their properties."""
