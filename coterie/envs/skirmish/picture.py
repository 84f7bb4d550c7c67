"""Pictures of a battle (placeholder)."""
def paint(forces, there, units):
    raise NotImplementedError
