# `godeeper serve` in a container, with the versions that the tests ran with:
#   docker build -t godeeper .
#   docker run --rm --read-only --tmpfs /tmp -p 127.0.0.1:8000:8000 -v "$PWD/runs/mine:/model:ro" godeeper
# /model is a run folder; other weights, such as an exported file, are named after the image's name. There is no password: mind who reaches the port.
FROM python:3.11-slim AS wheel
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheel .

FROM python:3.11-slim
COPY constraints.txt /tmp/
# Named by its path, as no index has godeeper. PyTorch's own index of wheels without CUDA makes the image some GB smaller:
#   docker build --build-arg PIP_EXTRA_INDEX_URL=... -t godeeper .
ARG PIP_EXTRA_INDEX_URL
RUN --mount=from=wheel,source=/wheel,target=/wheel \
    wheel="$(echo /wheel/godeeper-*.whl)" && pip install --no-cache-dir --constraint /tmp/constraints.txt "${wheel}[serve,deploy]"
RUN useradd --create-home --uid 1000 godeeper
USER 1000
ENV GODEEPER_CACHE=/tmp/godeeper PYTHONDONTWRITEBYTECODE=1
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
ENTRYPOINT ["godeeper", "serve", "--host", "0.0.0.0"]
CMD ["/model"]
