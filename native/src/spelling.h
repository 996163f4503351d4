/* spelling.h - queries by their characters. */
#ifndef QAC_SPELLING_H
#define QAC_SPELLING_H

#include "ngrams.h"

enum {
    SPELLED_BYTES = 60,     /* of a word that is spelled */
    SPELLED_WORDS = 24,     /* at a time */
    OPEN_SPELLINGS = 20,    /* beginnings of words that wait to go on */
    SPELLED_CHARACTERS = 64 /* looked at that may follow another */
};

/* The model of characters, and symbols of what is common. */
typedef struct {
    const qac_ngrams *model;  /* order 0: there is none */
    const uint32_t *alphabet; /* [model->words] */
    uint32_t of_ascii[128], space;
} characters;

/* What stands behind a word: the query's end, or a space. */
typedef struct {
    double end, space;
} word_boundary;

/* The beginning of a word. */
typedef struct {
    double probability;   /* of what goes beyond the given characters */
    word_boundary behind; /* known of whole words */
    uint32_t context;     /* of its characters */
    uint32_t len;
    char text[SPELLED_BYTES];
} spelling;

/* Work space, and the words that were spelled, likeliest beginnings first. */
typedef struct {
    spelling word[SPELLED_WORDS];
    uint32_t n;
    spelling open[OPEN_SPELLINGS];
    uint32_t n_open;
} speller;

characters characters_of(const qac_composer *c);

/* P(the next characters are those of `text` | *context), the context moved on. Never 0. */
double spell(const characters *c, uint32_t *context, const char *text, size_t len);

/* What stands behind a word whose characters lead to `context`. */
word_boundary spell_boundary(const characters *c, uint32_t context);

/* Fills s->word with words that start with `partial`, itself the first. context: what comes behind it. */
void spell_words(speller *s, const characters *c, uint32_t context, const char *partial, size_t len);

#endif
