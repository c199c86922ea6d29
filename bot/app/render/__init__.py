"""How things look: tables, the live view and pictures. Everything here reads and prints only."""
