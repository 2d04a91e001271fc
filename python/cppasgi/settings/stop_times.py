"""How long the steps of a stop may take; each begins when the one before is over.

After the drain delay responses finish, within the graceful time-out. What follows it has bounds of
its own: calls of the application that still run hear that their client has left, then they are
cancelled; lifespan shutdown, which has all that the others have left; the end of the process. By
default that is 8 s, as container engines kill after 10.
"""

GRACEFUL_SECONDS = 6.0
"""The graceful time-out unless somebody sets another."""
DEPARTURE_SECONDS = 0.5
"""What calls get to clean up when the graceful time-out is over."""
CANCEL_SECONDS = 0.2
"""What they get then to end, after they have been cancelled."""
LIFESPAN_SECONDS = 0.8
"""What lifespan shutdown gets when all the others have used up their time."""
EXIT_SECONDS = 0.5
"""What is left to tasks, threads and exit handlers then."""
END_SECONDS = DEPARTURE_SECONDS + CANCEL_SECONDS + LIFESPAN_SECONDS + EXIT_SECONDS
"""From the end of the graceful time-out until the process ends whatever it does."""
KILL_SECONDS = END_SECONDS + 0.4
"""The same until the supervisor kills a worker, which has ended itself by then if it could."""
