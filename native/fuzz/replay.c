/* replay.c - tries files without a fuzzer, with any compiler.
 *
 *   replay FILE...
 *
 * Fails where a model is refused: the corpus is then of an older format, to be written anew by corpus.py. */
#include <stdio.h>

#include "input.h"

int main(int argc, char **argv)
{
    enum { MOST = 1 << 20 };
    static uint8_t buffer[MOST];
    int refused = 0;
    LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");
        if (!f) {
            perror(argv[i]);
            return EXIT_FAILURE;
        }
        const size_t size = fread(buffer, 1, MOST, f);
        fclose(f);
        uint8_t *data = malloc(size ? size : 1); /* of its own, so that reading beyond its end is seen */
        REQUIRE(data != NULL);
        memcpy(data, buffer, size);
        refused += LLVMFuzzerTestOneInput(data, size) != 0;
        free(data);
    }
    printf("%d inputs, %d of them refused\n", argc - 1, refused);
    return refused ? EXIT_FAILURE : EXIT_SUCCESS;
}
