/* test_main.c - runs the native tests, or those of the suites that are named; exit status 0 when all checks held. */
#include "test.h"

static uint64_t checks, failures;

void check(bool fact, const char *text, const char *file, int line)
{
    checks++;
    if (fact)
        return;
    failures++;
    fprintf(stderr, "%s:%d: failed: %s\n", file, line, text);
}

static uint64_t state = 42;

uint64_t random_bits(void) { return qac_mix(state++); }

uint32_t random_below(uint32_t n) { return (uint32_t)(random_bits() % n); }

void *allocate(size_t size)
{
    void *p = malloc(size ? size : 1);
    if (!p)
        abort();
    return p;
}

static bool is_named(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return argc == 1;
}

int main(int argc, char **argv)
{
    const struct {
        const char *name;
        void (*run)(void);
    } suites[] = {
        {"text", test_text},       {"labels", test_labels},   {"features", test_features}, {"vocabulary", test_vocabulary},
        {"rows", test_rows},       {"training", test_training},
        {"search", test_search},   {"ngrams", test_ngrams},   {"spelling", test_spelling}, {"compose", test_compose},
        {"correct", test_correct}, {"damage", test_damage},   {"allocation", test_allocation},
        {"counting", test_counting}, {"concurrency", test_concurrency},
    };
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++) {
        if (!is_named(suites[i].name, argc, argv))
            continue;
        const uint64_t before = checks, failed = failures;
        suites[i].run();
        printf("%-12s %8llu checks%s\n", suites[i].name, (unsigned long long)(checks - before),
               failures == failed ? "" : "  FAILED");
    }
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
