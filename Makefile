# `make` alone lists what there is. ARGS goes to the command behind a target:
# make demo ARGS="--replay crash.parquet --speed 960"

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-intake test-browser test-ops bench check docs format rules contract ops-tools lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## install everything into .venv and fetch the embedded Kafka; quick when done
	@$(BIN)/python -m streams.embedded.setup
	@echo "the watch's loops are loaded, or compiled once (a minute or two)"
	@$(BIN)/python -c "from monitor.watch import warm; warm()"

$(INSTALLED): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## run the whole chain on this machine, with a crash to watch
	@$(BIN)/liqmon demo $(ARGS)

test: setup ## run all tests in two processes, each with an embedded Kafka and Redis of its own
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m "not browser" $(ARGS)

test-intake: setup ## the tests of workers once more, with the second intake
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --intake aiokafka -m intake $(ARGS)

test-browser: setup ## the page in a real browser; Chromium comes from Debian where apt is there
	@command -v chromium >/dev/null || { command -v apt-get >/dev/null && \
		apt-get update -q && apt-get install -qy --no-install-recommends chromium; } || \
		echo "no Chromium, and none could be installed: its tests will be skipped" >&2
	LIQMON_SCREENSHOTS="$${LIQMON_SCREENSHOTS:-build/screenshots}" $(BIN)/python -m pytest -q -rs -m browser tests/browser $(ARGS)

test-ops: setup ## alert rules, chart and documentation site, by the tools that are there
	PATH="$(CURDIR)/.tools/bin:$$PATH" PYTHON="$(CURDIR)/.tools/venv/bin/python" \
		$(BIN)/python -m pytest -q -rs tests/unit/test_deploy_*.py tests/unit/test_metrics.py $(ARGS)

ops-tools: ## helm, kubeconform and the schemas of Kubernetes into .tools (needs Go)
	GOBIN=$(CURDIR)/.tools/bin go install helm.sh/helm/v3/cmd/helm@v3.22.0
	GOBIN=$(CURDIR)/.tools/bin go install github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0
	test -x .tools/venv/bin/python || $(PYTHON) -m venv .tools/venv
	.tools/venv/bin/pip install -q --disable-pip-version-check kubernetes-validate==1.37.0

bench: setup ## measure engine and pipeline beside the usual designs; an hour and more
	@mkdir -p build
	@$(BIN)/liqmon bench engine --plot build/cost.png $(ARGS); first=$$?; \
		$(BIN)/liqmon bench pipeline $(ARGS) && exit $$first

check: $(INSTALLED) ## lint, formatting, types and the documentation site, as the CI checks them
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q --strict -f deploy/docs/mkdocs.yml

docs: $(INSTALLED) ## the documentation site, into build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q --strict -f deploy/docs/mkdocs.yml

format: $(INSTALLED) ## sort imports and format
	$(BIN)/ruff check --select I --fix -q
	$(BIN)/ruff format

rules: $(INSTALLED) ## write docs/rules.md, and the names of tests that ship, anew
	$(BIN)/python -m streams.rules

contract: $(INSTALLED) ## write docs/schemas and the tables of docs/messages.md anew
	$(BIN)/python -m streams.contract

lock: $(INSTALLED) ## pin the dependencies anew (ARGS=--upgrade takes newer ones)
	$(BIN)/python -m pip install -q --disable-pip-version-check uv
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile -q --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links $(ARGS) \
		--all-extras pyproject.toml -o requirements.lock
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile -q --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links \
		--constraint requirements.lock --extra compiled --extra loop --extra tracing pyproject.toml \
		-o deploy/docker/requirements.lock
	echo hatchling | UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile -q --universal \
		--python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--constraint requirements.lock - -o deploy/docker/build.lock
	$(BIN)/python -m streams.embedded.setup --lock

clean: ## remove caches and build outputs; .venv and the jars stay
	rm -rf build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -path ./$(VENV) -prune -o -type d -name __pycache__ -exec rm -rf {} +
