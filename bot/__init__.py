"""The runtime: carries out what the strategies decide, through ports, under one clock."""
