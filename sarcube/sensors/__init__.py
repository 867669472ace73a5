"""What agencies deliver, read as they wrote it; nothing is computed from it here."""
