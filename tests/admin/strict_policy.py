"""A middleware that sends as strict a Content-Security-Policy as Django's admin can live with."""

POLICY = "default-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'"


def strict_policy(get_response):
    def respond(request):
        response = get_response(request)
        response["Content-Security-Policy"] = POLICY
        return response

    return respond
