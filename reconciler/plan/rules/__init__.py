"""Functions behind the rules of `plan.edges`: each yields pairs of operations, earlier first."""
