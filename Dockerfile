# Build: `docker build -t whosays .`
# A key, printed this once: `docker run --rm -v whosays:/data whosays whosays keys add me`
# Run: `docker run --name whosays -p 127.0.0.1:8000:8000 -v whosays:/data -v "$PWD/docs:/docs:ro" whosays`
# Your own documents, at any time: `docker exec whosays whosays index /docs`
# Only /data and /tmp are written, so `--read-only --tmpfs /tmp --cap-drop ALL` works. A folder in place of the volume
# has to belong to user 10001. With Ollama beside it: service/compose.yaml; over
# Milvus: service/compose.milvus.yaml and service/kubernetes.yaml.
FROM python:3.11-slim-bookworm

RUN useradd --create-home --uid 10001 whosays
WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY rag rag
COPY service service
COPY eval eval
COPY seeds seeds

# Name PyTorch's CPU index with `--build-arg PIP_EXTRA_INDEX_URL=...`: the default build brings gigabytes of CUDA.
ARG PIP_EXTRA_INDEX_URL
ARG EXTRAS=documents,mcp,ollama
RUN pip install --no-cache-dir --constraint constraints.txt ".[$EXTRAS]" \
    && rm -rf build whosays.egg-info

ENV WHOSAYS_INDEX=/data/index WHOSAYS_EMBEDDING__CACHE=/data/cache PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN mkdir /data && chown whosays:whosays /data
USER whosays
# The converted and compiled models and the example's index are part of the image: the first answer needs no waiting.
RUN whosays index seeds && whosays ask "Who founded Scale AI?"
VOLUME /data
EXPOSE 8000
# Whether it is ready is told without a key.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["whosays", "serve", "--host", "0.0.0.0"]
