"""What people sign: Ed25519 keys, signatures, and the records they stand under (D2, D3)."""
