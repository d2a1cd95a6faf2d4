# Everything is done by the scripts; this names it.  Variables given to make
# reach them through the environment.

.PHONY: help run up down stop admin approve rotate-keys test build lint bench \
	install clean

help:
	@echo 'make run      build, install what is missing, run in the foreground'
	@echo 'make up       the same in the background; make down (or stop) ends it'
	@echo 'make admin EMAIL=you@example.org   prints a one-time way to be an admin'
	@echo 'make approve OPERATION=id   is the second admin where there is only one'
	@echo 'make rotate-keys   moves the keys that sign tokens on (run it daily)'
	@echo 'make test     build and run all tests; TESTS="t/wallet" only some'
	@echo '              SANITIZE=1 with AddressSanitizer and UBSan'
	@echo 'make build    the modules, into build/modules'
	@echo 'make lint     style, static analysis, dependencies'
	@echo 'make bench    ours against its peers; also bench-http, bench-read ...'
	@echo 'make install  into the installed NGINX; DESTDIR= for packages'
	@echo 'make clean    removes build/ (not the data)'
	@echo
	@echo 'PORT=8080 DATA=.azora LISTEN=127.0.0.1 WORKERS=2 choose where.'

run up:
	@scripts/azora $@

down stop:
	@scripts/azora down

admin:
	@scripts/azora admin

approve:
	@scripts/azora approve

rotate-keys:
	@scripts/azora rotate-keys

test:
	@scripts/test

build:
	@scripts/packages build
	@scripts/build

lint:
	@scripts/packages build lint
	@scripts/lint

bench:
	@scripts/packages run bench
	@bench/run

# the log and the streams of its events
bench-journal:
	@scripts/packages run bench
	@bench/run journal sse

bench-%:
	@scripts/packages run bench
	@bench/run $*

install: build
	@scripts/install

clean:
	@rm -rf build
