"""Faulty training programs, their repaired twins, and healthy ones that look ill."""
