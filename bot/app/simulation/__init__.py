"""The whole bot under one seed: faults, deaths, people, and what must hold all the while."""
