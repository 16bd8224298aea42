"""The house as a whole: its picture, its energy, and a household beside the others."""
