"""What people answer: the form of a request, who may answer it, and the way an answer takes.

It writes no row itself (``store.answering`` does) and knows no page: the admin draws its own.
"""
