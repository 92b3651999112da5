"""What judges the results of event listeners."""


class RejectEvent(Exception):
    """Raised by a result handler: the event is offered again."""


def default_handler(event, response):
    """Accepts exactly OK."""
    if response != b"OK":
        raise RejectEvent(response)
