"""Names that plug-ins import from here."""

from supervisor.states import SupervisorStates, getSupervisorStateDescription

__all__ = ["SupervisorStates", "getSupervisorStateDescription"]
