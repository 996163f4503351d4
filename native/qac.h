/* qac.h - the native core of qac: features, label tree search, ranker training.
 *
 * The core knows nothing of Python. Every function is re-entrant: there is no global state. A `qac_model` is
 * immutable after `qac_model_open` and may be used by any number of threads at once; a `qac_scratch` belongs to one
 * caller at a time. Pointers passed in are borrowed for the call only, except where a comment says otherwise.
 *
 * Functions return QAC_OK or one of the codes below; `qac_strerror` gives the text. After an error no output
 * parameter has been given an owned object, and nothing leaks.
 *
 * Text is UTF-8 in the normal form of qac/text.py. Bytes that are not UTF-8 do no harm: they match nothing.
 *
 * The lines between the two CDEF marks are read by the Python binding as they stand.
 */
#ifndef QAC_H
#define QAC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* CDEF BEGIN */

enum {
    QAC_OK = 0,
    QAC_ENOMEM = 1,    /* out of memory */
    QAC_EINVAL = 2,    /* an argument is out of its documented range */
    QAC_ECORRUPT = 3,  /* a model's content contradicts itself */
    QAC_ECANCELLED = 4, /* training was cancelled: qac_progress_cancel */
    QAC_EFORM = 5      /* a text may not be in normal form */
};

/* Returns a static text that begins with the code's name; never NULL. */
const char *qac_strerror(int code);

/* ---- features ---------------------------------------------------------------------------------------------------
 *
 * A document is a list of texts, oldest first: the queries of a session, or one typed prefix. Its terms are hashed to
 * 64 bits; a vocabulary maps the hashes that training saw to dense ids and inverse document frequencies.
 */

enum {
    QAC_TERM_WORD = 1,   /* a word: a run without spaces */
    QAC_TERM_BIGRAM = 2, /* two words in a row */
    QAC_TERM_QUERY = 4,  /* a whole text, where it is not already a word or a pair */
    QAC_TERM_CHARS = 8,  /* character n-grams; the one at code point i counts 1/(i+1)^position_decay */
    QAC_TERM_BIAS = 16   /* in no text: what is always 1 */
};

enum {
    QAC_MAX_TERMS = 4096, /* occurrences of terms in one document beyond this many are left out */
    QAC_MAX_K = 1000,     /* most completions one request may ask for */
    QAC_MAX_COMPOSED = 1024, /* most bytes of a composed query */
    QAC_MAX_AGE = 7,      /* queries of a session before the last that count for more than the rankers' features */
    QAC_MAX_BITS = 30,    /* of a hash that name its bucket (qac_keys) */
    QAC_NO_ID = 0xFFFFFFFF
};

typedef struct {
    uint32_t kinds;       /* QAC_TERM_* bits */
    uint32_t min_n;       /* shortest character n-gram, >= 1 */
    uint32_t max_n;       /* longest character n-gram, >= min_n */
    uint32_t history;     /* how many of the last texts of a document are read; >= 1 */
    float position_decay; /* 0: n-grams weigh the same at every position */
    float age_decay;      /* a text of age a (0 = the last) counts age_decay^a */
    float word_weight, bigram_weight, query_weight; /* factors on the term counts of each kind */
} qac_vectorizer;

/* A table from hashes to ids. The first `bits` bits of a hash name its bucket, the 32 that follow are its key there; the
 * others do not count: two hashes that differ in nothing else are one. */
typedef struct {
    const uint32_t *bucket_end; /* [2^bits] a bucket's keys are [bucket_end[b - 1], bucket_end[b]) */
    const uint32_t *key;        /* [n] ascending within a bucket */
    const uint32_t *id;         /* [n] of each key; NULL: its place */
    uint32_t bits;              /* 1..QAC_MAX_BITS */
    uint32_t n;                 /* 0: knows no hash, and the arrays are not read */
} qac_keys;

typedef struct {
    qac_keys keys;          /* ids are places: ascending like the terms' hashes */
    const uint8_t *idf;     /* [keys.n] places in idf_value */
    const float *idf_value; /* [256] inverse document frequencies */
} qac_vocabulary;

/* One feature of a request: where it stands in the document's bytes, for explanations. */
typedef struct {
    uint32_t id;
    float value;
    uint32_t kind;        /* one QAC_TERM_* */
    uint32_t begin, end;  /* bytes of the document; the newest occurrence */
} qac_feature;

/* Hashes the terms of one document.
 * doc: `doc_len` bytes, texts separated by '\n', oldest first. hash, count: room for QAC_MAX_TERMS entries; filled in
 * ascending order of hash, equal terms summed. span: NULL, or room for 2 * QAC_MAX_TERMS byte offsets (begin, end).
 * Sets *n. */
int qac_terms(const qac_vectorizer *v, const char *doc, size_t doc_len, uint64_t *hash, float *count, uint32_t *span,
              uint32_t *n);

/* Hashes `docs` documents that lie one after another: document i is bytes [doc_end[i-1], doc_end[i]).
 * hash, count: `capacity` entries; row_end[i] is set to the end of row i. Returns QAC_EINVAL when capacity is too small
 * (docs * QAC_MAX_TERMS is always enough; so is twice the bytes of all documents times the number of kinds and n). */
int qac_terms_batch(const qac_vectorizer *v, const char *text, const uint64_t *doc_end, uint64_t docs, uint64_t *hash,
                    float *count, uint64_t capacity, uint64_t *row_end);

/* How many bits make buckets of 4 to 8 keys for `n` hashes. */
uint32_t qac_keys_bits(uint32_t n);

/* Fills a table with the n hashes, ascending and distinct, of which every one but the first of those that count as one is
 * left out. bucket_end: 2^bits; key, place: room for n. place[i] is where in `hash` key i stands. Sets *kept, the number of
 * keys. QAC_EINVAL when bits is out of range or hashes do not ascend. */
int qac_keys_build(const uint64_t *hash, uint32_t n, uint32_t bits, uint32_t *bucket_end, uint32_t *key, uint32_t *place,
                   uint32_t *kept);

/* Vectorises one document: term count * idf, scaled to Euclidean length 1; unknown terms are left out.
 * out: room for QAC_MAX_TERMS features; ascending by id. Sets *n. */
int qac_vectorize(const qac_vectorizer *v, const qac_vocabulary *vocabulary, const char *doc, size_t doc_len,
                  qac_feature *out, uint32_t *n);

/* The same for many documents, as a compressed sparse row matrix: id and value as `hash` and `count` above. */
int qac_vectorize_batch(const qac_vectorizer *v, const qac_vocabulary *vocabulary, const char *text,
                        const uint64_t *doc_end, uint64_t docs, uint32_t *id, float *value, uint64_t capacity,
                        uint64_t *row_end);

/* ---- label strings ----------------------------------------------------------------------------------------------- */

/* Bytes that the front-coded form of `n` strings needs at most. Strings are ascending; string i is bytes
 * [end[i-1], end[i]) of text. */
uint64_t qac_labels_bound(const uint64_t *end, uint64_t n);

/* Sixteen front-coded strings. */
typedef struct {
    uint64_t begin; /* where they begin */
    uint64_t head;  /* the first eight bytes of the first, as a number that begins with the first byte; filled up with 0 */
} qac_label_block;

/* Front-codes the strings in blocks of 16. out: qac_labels_bound bytes; block: room for (n + 15) / 16.
 * Sets *size. QAC_EINVAL when strings are not ascending and distinct. */
int qac_labels_encode(const char *text, const uint64_t *end, uint64_t n, uint8_t *out, qac_label_block *block,
                      uint64_t *size);

/* Decodes string i of the n front-coded ones. out: 4,096 bytes. Sets *len. QAC_ECORRUPT when they are damaged. */
int qac_labels_decode(const uint8_t *strings, uint64_t size, const qac_label_block *block, uint32_t n, uint32_t i,
                      char *out, size_t *len);

/* lcp[i] = bytes that strings i-1 and i share, cut back to a whole code point; lcp[0] = 0. */
int qac_labels_lcp(const char *text, const uint64_t *end, uint64_t n, uint32_t *lcp);

/* ---- counting what a log says --------------------------------------------------------------------------------------- */

/* Numbers the words of `texts` strings, which single spaces end, in the order in which they first come. word: the numbers
 * of all occurrences; word_end[i]: where those of string i end. begin, end: [n] bytes of a word's first occurrence. All
 * four have room for `capacity` occurrences (spaces and strings together are enough). Sets *n. QAC_EINVAL when there is
 * too little room, or more than 2^32 - 2 words. */
int qac_words(const char *text, const uint64_t *text_end, uint64_t texts, uint32_t *word, uint64_t *word_end,
              uint64_t capacity, uint64_t *begin, uint64_t *end, uint32_t *n);

/* Pairs: how often something came back, and how often it might have. */
typedef struct {
    double queries[QAC_MAX_AGE + 1][2]; /* the query 1, 2, .. before the last, where no newer one is equal */
    double words[QAC_MAX_AGE + 1][2];   /* words of the query 0, 1, .. before the last that no newer one has */
    double next[4][2];                  /* the next word is one of the last query's that are not there yet: the first word,
                                           then where none, some, all of the words so far are from the last query */
} qac_reuse;

/* Counts reuse in examples: example i is the queries query[example_end[i-1] .. example_end[i]), oldest first, the last one
 * that which followed; it stands for count[i] of them. The words of a query: as qac_words gives them. */
int qac_count_reuse(const uint32_t *word, const uint64_t *word_end, uint32_t queries, uint32_t words,
                    const uint32_t *query, const uint64_t *example_end, const double *count, uint32_t examples,
                    qac_reuse *out);

/* ---- training ---------------------------------------------------------------------------------------------------- */

enum { QAC_MAX_THREADS = 1024 };

enum {
    QAC_NODE_CLUSTERED = 1, /* labels are members[lo..hi); otherwise the labels lo..hi-1 themselves */
    QAC_NODE_LEAF = 2,      /* children are its labels; otherwise children[child .. child + n_children) */
    QAC_NODE_CLUSTERS = 4,  /* children's labels interleave; otherwise they ascend from child to child */
    QAC_CHILD_LABEL = 0x80000000 /* bit of an entry of `children` that names a label, not a node */
};

/* One node of the label tree. Nodes are numbered in breadth-first order; the root, node 0, is not clustered. */
typedef struct {
    double mass;         /* sum of its labels' weights */
    uint32_t lo, hi;
    uint32_t child;
    uint32_t n_children;
    uint32_t block;      /* first of its blocks of weights (qac_rows) */
    uint32_t n_blocks;
    float scale;         /* weight = stored value * scale */
    uint32_t flags;      /* QAC_NODE_* */
} qac_node;

typedef struct {
    const qac_node *node;
    const uint32_t *children;
    const uint32_t *members;
    const float *weight; /* [labels] how often each is asked for: the rankers' offset. Only training reads it */
    uint32_t nodes, labels;
    uint64_t n_children, n_members; /* lengths of the two arrays */
} qac_tree;

/* What the rankers learn from: a matrix of distinct sessions and, for each label, the sessions that led to it. */
typedef struct {
    const uint64_t *row_end;    /* [rows] session i has features [row_end[i-1], row_end[i]) */
    const uint32_t *feature;
    const float *value;
    uint32_t rows, features;    /* features: exclusive upper bound of feature ids */
    const uint64_t *label_end;  /* [labels] label i has examples [label_end[i-1], label_end[i]) */
    const uint32_t *example_row;
    const float *example_weight;
} qac_examples;

enum {
    QAC_LOSS_SOFTMAX = 0, /* a node's children share its probability */
    QAC_LOSS_HINGE = 1    /* squared hinge, each child against the rest */
};

typedef struct {
    double l2;               /* weight of |w|^2 / 2, > 0 */
    double tolerance;        /* stop when one pass gains less than this share of the loss; hinge: when gradients of the
                                dual differ by no more */
    uint32_t max_passes;
    uint32_t threads;        /* 1..QAC_MAX_THREADS; the result is the same for any number */
    float prune;             /* weights smaller than this in absolute value are left out */
    uint32_t loss;           /* QAC_LOSS_* */
    /* Of the hinge loss: */
    double positive_cost, negative_cost; /* factors on the losses of examples that the child followed, and of others */
    uint32_t matcher_beam;   /* 0: a node learns from the examples under it; else also from those that a beam search of
                                this width brings to it, trained level by level */
} qac_training;

/* How far training has come. */
typedef struct {
    uint64_t work_done, work_total; /* examples, counted once per tree level */
    uint64_t passes;                /* over a node's examples, all nodes together */
    double loss;                    /* sum of finished nodes' final losses; of the softmax in nats */
    double loss_start;              /* the same before training: counts alone */
} qac_training_state;

/* Shared by training and any other threads: they may read and cancel at any time. */
typedef struct qac_progress qac_progress;
int qac_progress_new(qac_progress **out);
void qac_progress_free(qac_progress *progress);
void qac_progress_read(qac_progress *progress, qac_training_state *state);
/* Training that runs, or begins, with this progress ends soon with QAC_ECANCELLED. */
void qac_progress_cancel(qac_progress *progress);

typedef struct qac_rankers qac_rankers;

/* Trains one ranker per node. QAC_LOSS_SOFTMAX: multinomial logistic regression over the node's children whose offset is
 * the log of the child's mass, with weights only for (feature, child) pairs that occur together. QAC_LOSS_HINGE: a linear
 * support vector machine for each child against the rest, which knows nothing of masses; give it a feature that is always
 * 1. Owned result in *out. QAC_EINVAL: a setting is out of range, or a node has too many children or 2^32 weights. */
int qac_train(const qac_tree *tree, const qac_examples *examples, const qac_training *training, qac_progress *progress,
              qac_rankers **out);
void qac_rankers_sizes(const qac_rankers *r, uint64_t *rows, uint64_t *entries);
/* Copies out: per node the number of rows; per row its feature and the end of its entries; per entry child and weight. */
void qac_rankers_copy(const qac_rankers *r, uint32_t *node_rows, uint32_t *row_feature, uint64_t *row_end,
                      uint16_t *entry_child, float *entry_weight);
void qac_rankers_free(qac_rankers *r);

/* Weights as a model stores them. A row is what one feature says of a node's children: entries of child and weight. The
 * rows of a node ascend by feature and stand in blocks of QAC_BLOCK_ROWS, the last with the rest. A block is a stream of
 * bits, the first bit of a byte its lowest, filled up with zeros to whole bytes:
 *
 *   64 bits           f_i = feature of row i - that of the block's first row; bit (f_i >> low) + i is set for each row i
 *   5, 5 bits         rows - 1; low, the fewest bits for which these places are below 64
 *   6 bits            entries - rows, or 63: that follows, in 32 bits
 *   low bits a row    the lowest bits of f_i
 *   1 bit an entry    is it its row's last?
 *   entries           the child, in as many bits as (the node's children - 1) has; the weight, in `weight_bits`: plus the
 *                     largest that a weight may be, 2^(weight_bits - 1) - 1
 *
 * Behind the last block are eight bytes of zeros. */
typedef struct {
    const uint8_t *stream; /* the blocks of all nodes, one after another */
    uint64_t size;
    const uint32_t *block_feature; /* [blocks] feature of a block's first row, ascending within a node */
    const uint32_t *block_begin;   /* [blocks] where it begins in the stream; it ends where the next one begins */
    uint64_t blocks;
    uint32_t weight_bits;          /* QAC_MIN_WEIGHT_BITS .. QAC_MAX_WEIGHT_BITS */
} qac_rows;

enum {
    QAC_BLOCK_ROWS = 32,
    QAC_MIN_WEIGHT_BITS = 2,
    QAC_MAX_WEIGHT_BITS = 8
};

/* Bytes that the stream of so many nodes, rows and entries needs at most. */
uint64_t qac_rows_bound(uint64_t nodes, uint64_t rows, uint64_t entries);

/* Encodes rows in the form of qac_rankers_copy, weights in steps of the nodes' scales. node_children: [nodes] how many each
 * has. stream: qac_rows_bound bytes; node_blocks: [nodes] number of blocks of each; block_feature, block_begin: room for one
 * per row. Sets *blocks and *size; beyond UINT32_MAX bytes, block_begin cannot name places and the result is of no use.
 * QAC_EINVAL when features do not ascend within a node, or children within a row, a row is empty, a node has more than 65,536
 * children, or a child, a weight or their bits are out of range. */
int qac_rows_encode(const uint32_t *node_rows, const uint32_t *node_children, uint32_t nodes, const uint32_t *row_feature,
                    const uint64_t *row_end, const uint16_t *child, const int8_t *weight, uint32_t weight_bits, uint8_t *stream,
                    uint32_t *node_blocks, uint32_t *block_feature, uint32_t *block_begin, uint64_t *blocks, uint64_t *size);

/* Do the nodes' blocks follow one another, and in each node the rows' features, all below `features`, and in each row the
 * children, all of which exist? Sets *entries to their number. QAC_ECORRUPT when not. */
int qac_rows_check(const qac_rows *rows, const qac_tree *tree, uint32_t features, uint64_t *entries);

/* Hashes of words for the composer's table: word i is bytes [end[i-1], end[i]) of text. */
int qac_word_hash(const char *text, const uint64_t *end, uint64_t n, uint64_t *hash);

/* ---- composer ------------------------------------------------------------------------------------------------------
 *
 * Queries that nobody made before: an n-gram model of words, mixed with words of the last query and words that follow
 * its words, and an n-gram model of the queries' characters, for words that are in no query and as a second opinion.
 */

/* An n-gram model (interpolated back-off) as a trie. Symbols 0 .. words-1; `words` is the end, words + 1 the start of a
 * sequence. Nodes are n-grams: 0 .. words + 1 the symbols themselves, from words + 2 on the entries, shorter ones first,
 * then by the node of all but the last symbol, then by the last symbol. The first `contexts` nodes may have children.
 * Probabilities and back-offs are kept as places in a table of 256 values. Each node but the symbols has a shorter one, the
 * n-gram without its first symbol: for two symbols that is the last, for more it is kept. */
typedef struct {
    uint32_t order;             /* longest n-gram, 2..8; 0: no model */
    uint32_t words;
    const float *unigram;       /* [words + 1] */
    const uint32_t *child_end;  /* [contexts] a node's children are the entries [child_end[node - 1], child_end[node]) */
    const uint8_t *backoff;     /* [contexts] what the shorter context gets */
    const float *backoff_value; /* [256] */
    const uint32_t *shorter;    /* [n_shorter] of the contexts of three symbols or more, which are the last */
    uint32_t n_shorter;
    uint32_t contexts;
    uint32_t symbol_bytes;      /* 1, 2 or 3 */
    const uint8_t *next;        /* [symbol_bytes * entries] last symbols, ascending among a node's children */
    const uint8_t *probability; /* [entries] of the last symbol after those before; what shorter contexts give is in it */
    const float *value;         /* [256] */
    uint32_t entries;
} qac_ngrams;

typedef struct {
    qac_ngrams word, character; /* word.order 0: no composer */
    const uint8_t *word_text;   /* words, ascending, one after another */
    uint64_t word_text_size;
    const uint32_t *word_end;   /* [word.words] where each ends in word_text */
    const uint8_t *word_length; /* [word.words] in code points, at most 255 */
    qac_keys word_keys;         /* from a word's hash (qac_word_hash) to its number */
    const double *unigram_sum;  /* [word.words + 1] running sum of unigram, from 0 */
    const uint32_t *frequent;   /* [n_frequent] words of the largest unigram probability, best first */
    uint32_t n_frequent;
    const uint32_t *alphabet;   /* [character.words] code points, ascending */
    const uint32_t *association_end; /* [word.words] associations of a word end here */
    const uint32_t *association;     /* [n_associations] words, ascending for each */
    const uint8_t *association_weight; /* [n_associations] places in association_value */
    const float *association_value;    /* [256] probabilities */
    uint32_t n_associations;
    double unknown;             /* probability of a word outside the vocabulary, without context */
    double share;               /* of the composer in the mixture with the tree, 0..1 */
    double copy_start, copy_none, copy_some, copy_all; /* share of the last query's words, by how many of the words so far
                                                         are among them; start: no words yet */
    double older[QAC_MAX_AGE];  /* weight of a word of the query 1, 2, .. before the last; one of the last weighs 1 */
    double associate;           /* share of the associations */
    double length_discount, length_scale; /* probability * length_scale / length^length_discount */
    double spelling;            /* share of the characters' opinion on how a query goes on, 0..1 */
    double new_query;           /* chance that the next query is a new one, above 0, at most 1 */
    double least;               /* composed answers of a smaller score are not given, unless there is no other */
} qac_composer;

/* ---- model and search -------------------------------------------------------------------------------------------- */

enum { QAC_MEMBER_BLOCK = 16 };

/* A model's arrays, all borrowed and read in place; the caller has checked that each lies in its section and is aligned
 * to 8 bytes. `qac_model_open` checks the tree and all settings; strings, keys, n-grams and rows are checked where they
 * are read. */
typedef struct {
    qac_vectorizer session, prefix;
    qac_vocabulary session_vocabulary, prefix_vocabulary; /* prefix: keys.n is 0 when rankers do not read it */
    qac_tree tree;
    /* A label weighs its count times its length's factor; requests without a session are answered by counts alone. */
    const float *count;          /* [labels] */
    const uint8_t *length;       /* [labels] in code points, at most 255 */
    const double *length_factor; /* [256] */
    const double *node_count;    /* [nodes] sum of its labels' counts, as the node's mass is of their weights */
    const float *top_weight, *top_count; /* [nodes] no label of the node has more */
    const double *member_mass, *member_count; /* [n_members / QAC_MEMBER_BLOCK + 1] sums over the members before every
                                                 QAC_MEMBER_BLOCK-th, of weights and of counts */
    const uint8_t *label_text;   /* front-coded strings */
    uint64_t label_text_size;
    const qac_label_block *label_block; /* [(labels + 15) / 16] */
    qac_rows rows;               /* prefix features follow the session's: id + session_vocabulary.keys.n */
    float repeat_weight;         /* factor on the score of the label that is the last query itself, 0..1 */
    double recall[QAC_MAX_AGE];  /* P(the next query is the one that came 1, 2, .. before the last) */
    uint32_t loss;               /* QAC_LOSS_* of the rankers; QAC_LOSS_HINGE: the last feature of a request is always 1 */
    int filters;                 /* 0: search goes only where the prefix allows; else everywhere, and answers that do not
                                    start with the prefix are left out of what it finds */
    qac_composer composer;
} qac_parts;

typedef struct qac_model qac_model;
typedef struct qac_scratch qac_scratch;

/* Owned model in *out; the arrays must outlive it. QAC_ECORRUPT: some index points outside its array. */
int qac_model_open(const qac_parts *parts, qac_model **out);
void qac_model_close(qac_model *model);

/* Work space for one caller at a time; it grows to what requests need and is then reused without allocation. */
int qac_scratch_new(const qac_model *model, qac_scratch **out);
void qac_scratch_free(qac_scratch *scratch);

enum {
    QAC_COMPOSE = 1,  /* option: the composer, if the model has one, takes part */
    QAC_CORRECT = 2,  /* option: where few labels start with the prefix, so do labels that start with one like it */
    QAC_AS_TYPED = 4  /* option: QAC_EFORM, and no answer, unless qac_is_normal says 1 of prefix and session */
};

/* Is the text in the normal form of the protocol "default" (qac/text.py)? 1, or 0: not, or not ASCII, which is all that
 * is known here. whole: queries with '\n' between them, or none; otherwise a prefix, which may end with a space. */
int qac_is_normal(const char *text, size_t len, int whole);

/* Where an answer comes from. */
enum {
    QAC_INDEX = 0,    /* a label that starts with the prefix */
    QAC_COMPOSED = 1, /* no label; starts with the prefix */
    QAC_CORRECTED = 2, /* a label that starts with what may have been meant: one insertion, deletion, substitution of a code
                          point or transposition of two neighbours away from the prefix */
    QAC_RECALLED = 3   /* no label, but asked earlier in this session; starts with the prefix */
};

typedef struct {
    uint32_t label;      /* QAC_NO_ID: composed or recalled */
    uint32_t begin, end; /* bytes of the text buffer; a '\n' follows */
    uint32_t source;     /* QAC_INDEX, QAC_COMPOSED, QAC_CORRECTED or QAC_RECALLED */
    uint32_t meant;      /* first bytes of the text that the prefix stands for: the prefix, or what was meant by it */
    double score;        /* P(query | session, prefix) */
    double composed;     /* how much of the score is the composer's, 0..1 */
    double recalled;     /* how much of it is there because the session asked this before, 0..1 */
} qac_answer;

/* Completes one request.
 * prefix: as typed, normalised; may be empty. session: earlier queries separated by '\n', oldest first; may be empty.
 * beam: 0 = best-first search, exact; else the number of nodes kept per round. answers: room for k (1..QAC_MAX_K),
 * best first; ties go to the smaller label. options: QAC_COMPOSE, QAC_CORRECT, QAC_AS_TYPED; with neither of the first
 * two and without a session the answers are the most frequent labels. text: text_size bytes for the answers' strings,
 * each with a '\n' behind it (k times the longest label or QAC_MAX_COMPOSED, and one, is enough; QAC_EINVAL when not).
 * Sets *n. Every answer but a corrected one, which stands below all labels that do, starts with the prefix; if k labels
 * do, k answers come back (a beam too narrow for that is widened), but from models that filter (qac_parts). With the
 * composer the best of at least 10 candidates of either side are mixed: the first answers are the same for any k up to
 * 10, and may differ beyond. */
int qac_complete(const qac_model *model, qac_scratch *scratch, const char *prefix, size_t prefix_len, const char *session,
                 size_t session_len, uint32_t k, uint32_t beam, uint32_t options, qac_answer *answers, uint32_t *n,
                 char *text, size_t text_size);

/* Completes requests one after another. texts: prefix and session of each, the prefix of request i ending at end[2 i] and
 * its session at end[2 i + 1]. answers: room for k of each request, those of request i from i * k on; n: their numbers,
 * room for all requests. text: the answers' strings, room for those of one request at least and at most 4 GiB; requests
 * for whose strings the rest may be too small are left. Sets *done to how many were answered. */
int qac_complete_batch(const qac_model *model, qac_scratch *scratch, const char *texts, const uint64_t *end,
                       uint64_t requests, uint32_t k, uint32_t beam, uint32_t options, qac_answer *answers, uint32_t *n,
                       char *text, size_t text_size, uint64_t *done);

/* The label range [*lo, *hi) of those that start with prefix. */
int qac_prefix_range(const qac_model *model, const char *prefix, size_t prefix_len, uint32_t *lo, uint32_t *hi);

/* Id of the label equal to text, or QAC_NO_ID. */
uint32_t qac_find_label(const qac_model *model, const char *text, size_t len);

/* Copies a label's text; *len is set to its length, of which at most `size` bytes were copied. */
int qac_label_text(const qac_model *model, uint32_t label, char *text, size_t size, size_t *len);

/* One step of the path to a label. */
typedef struct {
    uint32_t node;        /* where the choice was made */
    uint32_t choice;      /* which child: 0 .. node's children - 1 */
    uint32_t alternatives;/* children that match the prefix */
    double prior;         /* the child's share of the mass among them */
    double probability;   /* its share with the session */
    uint32_t push_begin, push_end; /* its entries in `push` */
} qac_step;

/* A feature's contribution to the log-odds of a step's choice. */
typedef struct {
    uint32_t feature; /* index into `features` */
    float weight;
} qac_push;

/* Explains why `label` got its score: features of the request (room for 2 * QAC_MAX_TERMS + 1; those of kind
 * QAC_TERM_CHARS stand in the prefix, QAC_TERM_BIAS nowhere, the others in the session), the steps (room for max_steps),
 * the pushes (room for max_pushes; more are left out). options: as in qac_complete; the steps are the tree's part of the
 * score. QAC_EINVAL when the label does
 * not start with the prefix. */
int qac_explain(const qac_model *model, qac_scratch *scratch, const char *prefix, size_t prefix_len, const char *session,
                size_t session_len, uint32_t options, uint32_t label, qac_feature *features, uint32_t *n_features,
                qac_step *steps, uint32_t max_steps, uint32_t *n_steps, qac_push *pushes, uint32_t max_pushes,
                uint32_t *n_pushes);

/* CDEF END */

#ifdef __cplusplus
}
#endif
#endif
