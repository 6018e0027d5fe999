# Two commands on a fresh machine: `make deploy` (set up, run the main job on localstalk) and `make test` (set up, pass all tests).
SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Where it is set, every start of Ansible compiles hundreds of modules anew.
unexport PYTHONDONTWRITEBYTECODE
PYTEST = pytest --junitxml=$(CURDIR)/build/junit/$@.xml
# Tests wait more than they compute, so there are more workers than cores; tests of a file share what they set up.
WORKERS = --numprocesses=4 --dist=loadfile
LOCK = uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-header
SHELL_SCRIPTS = scripts/setup scripts/as-collection scripts/documentation scripts/matrix scripts/release .ci/run roles/schedule/files/run_schedule.sh \
  roles/recreate_and_swap/files/cycle_status.sh

.PHONY: help deploy down test lint unit integration molecule clients sanity docs pictures localstalk release long chaos matrix bench lock

help: ## Say what there is
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deploy: ## Set everything up and deploy examples/blog on localstalk
	@scripts/setup runtime
	@ansible-playbook deploy.yml

down: ## Stop localstalk and remove every container, network and mount it made
	@if [ -x .venv/bin/localstalk ]; then .venv/bin/localstalk down; fi
	@for home in build/*/localstalk; do [ ! -d $$home ] || .venv/bin/localstalk --home $$home down; done

test: ## Set everything up and pass all tests
	@scripts/setup runtime test eb js
	@rm -rf build/junit
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target unit localstalk lint sanity docs release
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target integration clients molecule
	@python scripts/summary.py build/junit

lint: ## ruff, mypy, ansible-lint (production), yamllint, shellcheck, changelog, licences
	@scripts/setup runtime test
	ruff check . && ruff format --check .
	mypy localstalk/src plugins/module_utils/_beanstalk
	yamllint --strict .
	shellcheck $(SHELL_SCRIPTS)
	ansible-lint
	antsibull-changelog lint
	reuse --no-multiprocessing lint --quiet

unit: ## The fast tests of the collection: pure functions, modules and roles with simulated instances
	@scripts/setup runtime test eb
	$(PYTEST) $(WORKERS) --no-loadscope-reorder -m "not slow" tests/unit

localstalk: ## localstalk's own tests: with simulated instances, its table of operations, with containers
	@scripts/setup runtime test eb
	@rm -rf build/operations
	cd localstalk && export LOCALSTALK_RECORD=$(CURDIR)/build/operations && $(PYTEST) $(WORKERS) -m "not containers"
	cd localstalk && python tests/operations_table.py --check $(CURDIR)/build/operations README.md
	cd localstalk && pytest --junitxml=$(CURDIR)/build/junit/$@-containers.xml -m containers

clients: ## Other people's clients, unmodified, against localstalk; says how many checks each had
	@scripts/setup runtime test eb js
	$(PYTEST) -m "not slow" tests/clients

integration: ## The main job and its failures against localstalk with containers
	@scripts/setup runtime test eb
	$(PYTEST) $(WORKERS) --no-loadscope-reorder -m "not slow" tests/integration

molecule: ## Molecule scenarios against localstalk with containers
	@scripts/setup runtime test
	molecule test --all --report

sanity: ## ansible-test sanity on an exported copy
	@scripts/setup runtime test
	scripts/as-collection ansible-test sanity --python $$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])') --color no

release: ## Tarball, localstalk's wheel and checksums: build/release; Galaxy's importer, and a deployment elsewhere with the newest ansible-core
	@scripts/setup runtime test importer
	$(PYTEST) tests/release
	@scripts/matrix deployment

matrix: ## The tarball with each ansible-core, Python and amazon.aws that it is for, one line for each
	@scripts/setup runtime test
	@scripts/matrix all

long: ## What is too long for test: leader, policies, cycles, AWX, ansible-rulebook, guides, images, clients, ten minutes of fuzzing, the matrix' newest cell (system packages)
	@scripts/setup runtime test eb rulebook
	$(PYTEST) $(WORKERS) --no-loadscope-reorder -m slow tests/integration
	pytest --junitxml=$(CURDIR)/build/junit/long-clients.xml -m slow tests/clients
	pytest --junitxml=$(CURDIR)/build/junit/long-unit.xml $(WORKERS) -m slow tests/unit
	JACK_FUZZ_SECONDS=600 pytest --junitxml=$(CURDIR)/build/junit/long-fuzz.xml $(WORKERS) tests/unit/fuzz
	@scripts/matrix newest

chaos: ## Runs under faults: random worlds (JACK_CHAOS_WORLDS, 10000), kills, cut answers, signals, corrupted content, clocks apart, set-up cut off; takes minutes
	@scripts/setup runtime test
	$(PYTEST) --numprocesses=2 tests/chaos/test_planner.py
	pytest --junitxml=$(CURDIR)/build/junit/chaos-runs.xml $(WORKERS) -m "not containers" \
	  --ignore=tests/chaos/test_planner.py tests/chaos
	pytest --junitxml=$(CURDIR)/build/junit/chaos-load.xml -m containers tests/chaos

docs: ## Check the documentation of every plugin and role, build the site, and look at it: build/docs, build/pictures
	@scripts/setup runtime test
	scripts/as-collection antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs self .
	scripts/documentation
	$(PYTEST) tests/pictures/test_documentation.py

pictures: docs ## Pictures of every page at the width of a phone and of a desk, light and dark: build/pictures
	$(PYTEST) tests/pictures/test_localstalk.py

bench: ## Measure the budgets beside their peers (PART=deploys: only those): build/bench.json, docs/performance.md
	@scripts/setup runtime test eb
	@PYTHONPATH=tests python -m bench $(PART); measured=$$?; scripts/performance.py && exit $$measured

lock: ## Pin requirements/*.in anew, with hashes
	@scripts/setup runtime test
	cd requirements && for name in bootstrap runtime test; do $(LOCK) --universal --python-version 3.11 $$name.in -o $$name.txt; done
	cd requirements && for name in eb js importer rulebook; do $(LOCK) --python-version 3.11 $$name.in -o $$name.txt; done
	cd requirements && grep -v '^#' matrix.conf | while read -r core python _; do \
	  $(LOCK) --python-version $$python core$$core.in -o core$$core.txt; done
	@scripts/setup js
	cd requirements/js && PATH=$(CURDIR)/.venv-js/bin:$$PATH npm update --package-lock-only --ignore-scripts
	cd requirements && $(LOCK) --python-version 3.11 aws-cli.in -o ../localstalk/src/localstalk/images/instance/aws-cli.txt
	cd requirements && $(LOCK) --python-version 3.11 python-platform.in -o ../localstalk/src/localstalk/images/instance/python-platform.txt
