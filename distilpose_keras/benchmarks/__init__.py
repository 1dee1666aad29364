"""What the library costs: each module measures one part of it."""
