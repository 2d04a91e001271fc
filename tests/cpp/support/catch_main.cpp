// main() of every test executable when Catch2 is version 2, compiled once.
#define CATCH_CONFIG_MAIN
#include "support/catch.h"
