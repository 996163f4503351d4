/* test_text.c - result codes, and the arithmetic that all results rest on. */
#include <math.h>

#include "test.h"

void test_text(void)
{
    const char *names[] = {"QAC_OK", "QAC_ENOMEM", "QAC_EINVAL", "QAC_ECORRUPT", "QAC_ECANCELLED"};
    for (int code = 0; code < 5; code++)
        CHECK(strncmp(qac_strerror(code), names[code], strlen(names[code])) == 0);
    CHECK(qac_strerror(-1) && qac_strerror(99));

    CHECK(qac_exp(0) == 1);
    double before = 0;
    for (double x = -700; x <= 700; x += 0.37) {
        const double e = qac_exp(x);
        CHECK(fabs(e / exp(x) - 1) < 1e-9);
        CHECK(e > before);
        before = e;
    }
    CHECK(qac_exp(1e300) == qac_exp(700) && qac_exp(-1e300) == qac_exp(-700));
    CHECK(qac_exp(INFINITY) == qac_exp(700) && qac_exp(-INFINITY) == qac_exp(-700));
    CHECK(qac_exp((double)NAN) > 0); /* any number will do, but it must be one */

    CHECK(qac_alloc(UINT64_MAX, 2) == NULL);
    void *p = qac_alloc(0, 8);
    CHECK(p != NULL);
    free(p);
}
