"""Faulty training programs with repaired twins, and healthy ones that look ill: is the doctor right?"""
