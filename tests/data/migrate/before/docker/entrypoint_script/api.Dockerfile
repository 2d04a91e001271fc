FROM python:3.12
COPY docker/entrypoint.sh /entrypoint.sh
ENTRYPOINT ["/entrypoint.sh"]
CMD ["daphne", "--bind", "0.0.0.0", "--port", "8000", "api.asgi:application"]
