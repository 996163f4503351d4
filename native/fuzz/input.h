/* input.h - models and requests as the fuzzer writes them.
 *
 * A model's input is a row of blocks: a length in bytes (u32), then so many bytes; a block that is not there is empty.
 * First the scalars, then a request, then the arrays of qac_parts in the order of input.c. corpus.py writes the same.
 *
 * Lengths that a caller of qac_model_open has to answer for are made right, by cutting arrays or filling them up with
 * zeros, so that what is tried is what the core itself has to check. Each array is in an allocation of its own: the
 * address sanitizer sees its end. */
#ifndef QAC_FUZZ_INPUT_H
#define QAC_FUZZ_INPUT_H

#include "core.h"

/* What the core promises; where it does not hold the process ends. */
#define REQUIRE(fact) \
    do { \
        if (!(fact)) \
            fuzz_fail(#fact, __FILE__, __LINE__); \
    } while (0)
_Noreturn void fuzz_fail(const char *text, const char *file, int line);

typedef struct {
    const uint8_t *at, *end;
} blocks;

/* The next block. */
slice next_block(blocks *b);

enum { MOST_ARRAYS = 64 };

typedef struct {
    qac_parts parts;
    slice request;
    void *array[MOST_ARRAYS];
    int arrays;
} model_input;

void read_model(model_input *in, const uint8_t *data, size_t size);
void free_model(model_input *in);

typedef struct {
    uint32_t k, beam, options;
    uint32_t number; /* of a label, or any */
    slice prefix, session;
} request;

/* A request's input: number of answers (u16), beam (u8), options (u8), number (u16), prefix, 0, session. */
request parse_request(slice s);

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
