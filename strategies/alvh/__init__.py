"""Rules L, B and G: the three hedge layers, their rotation and governors."""
