"""Showing: what may be seen of a run, and how it is worded, wherever it is shown.

The admin and the terminal both stand on it: masks, previews of long results, laid out values, ages
and durations, and the shape of a run for programs. It knows no HTML, no screen and no person: who
may see what is decided above. It writes nothing.
"""
