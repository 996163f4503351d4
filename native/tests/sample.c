/* sample.c - the small models of the tests; test.h says what is in them. */
#include "test.h"

void *keep(sample *s, const char *name, const void *data, size_t size)
{
    void *copy = allocate(size);
    if (size)
        memcpy(copy, data, size);
    s->array[s->n_arrays].name = name;
    s->array[s->n_arrays].data = copy;
    s->array[s->n_arrays++].size = size;
    return copy;
}

static void add_labels(sample *s, const char *const *labels, uint32_t n, const float *count)
{
    string_list list = make_strings(labels, n);
    uint8_t *bytes = allocate(qac_labels_bound(list.end, n));
    qac_label_block *block = allocate((n + 15) / 16 * sizeof *block);
    uint64_t size = 0;
    CHECK(qac_labels_encode(list.text, list.end, n, bytes, block, &size) == QAC_OK);
    s->parts.label_text = keep(s, "label_text", bytes, size);
    s->parts.label_text_size = size;
    s->parts.label_block = keep(s, "label_block", block, (n + 15) / 16 * sizeof *block);
    s->parts.tree.labels = n;
    s->parts.count = s->parts.tree.weight = keep(s, "count", count, n * sizeof *count);
    free(bytes);
    free(block);
    free_strings(&list);
}

/* Every label weighs its count: lengths make no difference. */
static void add_lengths(sample *s, const char *const *labels, uint32_t n)
{
    uint8_t *length = allocate(n);
    double factor[256];
    for (uint32_t i = 0; i < n; i++)
        length[i] = (uint8_t)strlen(labels[i]);
    for (int i = 0; i < 256; i++)
        factor[i] = 1;
    s->parts.length = keep(s, "length", length, n);
    s->parts.length_factor = KEEP(s, factor);
    free(length);
}

static void add_vocabulary(sample *s)
{
    enum { BITS = 2 };
    uint64_t hash[] = {qac_hash("x", 1, QAC_TERM_WORD), qac_hash("y", 1, QAC_TERM_WORD)};
    s->x = hash[0] > hash[1];
    s->y = !s->x;
    if (s->x) {
        const uint64_t h = hash[0];
        hash[0] = hash[1];
        hash[1] = h;
    }
    uint32_t bucket_end[1 << BITS], key[2], place[2], kept;
    const uint8_t idf[] = {0, 0};
    const float idf_value[256] = {1};
    CHECK(qac_keys_build(hash, 2, BITS, bucket_end, key, place, &kept) == QAC_OK && kept == 2);
    s->parts.session_vocabulary = (qac_vocabulary){
        .keys = {.bucket_end = KEEP(s, bucket_end), .key = KEEP(s, key), .bits = BITS, .n = 2},
        .idf = KEEP(s, idf),
        .idf_value = KEEP(s, idf_value)};
}

/* One row at the root and nodes 1 and 2 each; see test.h. */
static void add_rows(sample *s)
{
    enum { NODES = 5, ROWS = 3, ENTRIES = 4 };
    const uint32_t node_rows[NODES] = {1, 1, 1}, children[NODES] = {2, 2, 2, 3, 3}, row_feature[ROWS] = {s->x, s->y, s->x};
    const uint64_t row_end[ROWS] = {1, 2, 4};
    const uint16_t child[ENTRIES] = {0, 1, 0, 1};
    const int8_t weight[ENTRIES] = {31, 31, -31, 16};
    uint8_t stream[128];
    uint32_t node_blocks[NODES], block_feature[ROWS], block_begin[ROWS];
    uint64_t blocks, size;
    CHECK(qac_rows_bound(NODES, ROWS, ENTRIES) <= sizeof stream);
    CHECK(qac_rows_encode(node_rows, children, NODES, row_feature, row_end, child, weight, 6, stream, node_blocks, block_feature,
                          block_begin, &blocks, &size) == QAC_OK);
    CHECK(blocks == 3 && node_blocks[0] == 1 && node_blocks[1] == 1 && node_blocks[2] == 1 && node_blocks[3] == 0);
    s->parts.rows = (qac_rows){.stream = keep(s, "rows", stream, size),
                               .weight_bits = 6,
                               .size = size,
                               .block_feature = KEEP(s, block_feature),
                               .block_begin = KEEP(s, block_begin),
                               .blocks = blocks};
}

static const qac_vectorizer VECTORIZER = {
    .kinds = QAC_TERM_WORD, .min_n = 1, .max_n = 1, .history = 3, .age_decay = 0.5f, .word_weight = 1,
};

sample make_sample(void)
{
    sample s = {.parts = {.session = VECTORIZER, .prefix = VECTORIZER, .repeat_weight = 0.25f}};
    const char *const labels[] = {"a", "ab", "abc", "abd", "abfgh", "abfgi", "bcde", "bcdf"};
    const float count[] = {1, 2, 4, 8, 16, 32, 64, 128};
    add_labels(&s, labels, 8, count);
    add_lengths(&s, labels, 8);
    add_vocabulary(&s);

    const float steps = 31;
    const qac_node node[] = {
        {.mass = 255, .lo = 0, .hi = 8, .child = 0, .n_children = 2, .block = 0, .n_blocks = 1, .scale = 1 / steps},
        {.mass = 63, .lo = 0, .hi = 6, .child = 2, .n_children = 2, .block = 1, .n_blocks = 1, .scale = 2 / steps,
         .flags = QAC_NODE_CLUSTERS},
        {.mass = 192, .lo = 6, .hi = 8, .n_children = 2, .block = 2, .n_blocks = 1, .scale = 1 / steps,
         .flags = QAC_NODE_LEAF},
        {.mass = 21, .lo = 0, .hi = 3, .n_children = 3, .block = 3, .flags = QAC_NODE_LEAF | QAC_NODE_CLUSTERED},
        {.mass = 42, .lo = 3, .hi = 6, .n_children = 3, .block = 3, .flags = QAC_NODE_LEAF | QAC_NODE_CLUSTERED},
    };
    const uint32_t children[] = {1, 2, 3, 4}, members[] = {0, 2, 4, 1, 3, 5};
    const double member_mass[] = {0}, node_count[] = {255, 63, 192, 21, 42};
    const float top[] = {128, 32, 128, 16, 32};
    s.parts.tree.node = KEEP(&s, node);
    s.parts.tree.nodes = 5;
    s.parts.tree.children = KEEP(&s, children);
    s.parts.tree.n_children = 4;
    s.parts.tree.members = KEEP(&s, members);
    s.parts.tree.n_members = 6;
    s.parts.member_mass = KEEP(&s, member_mass);
    s.parts.node_count = KEEP(&s, node_count);
    s.parts.top_weight = keep(&s, "top_weight", top, sizeof top);
    s.parts.top_count = keep(&s, "top_count", top, sizeof top);
    s.parts.member_count = keep(&s, "member_count", member_mass, sizeof member_mass);
    add_rows(&s);
    return s;
}

sample make_wide_sample(uint32_t nodes, uint32_t digits)
{
    sample s = {.parts = {.session = VECTORIZER, .prefix = VECTORIZER, .repeat_weight = 1, .rows.weight_bits = 6}};
    const uint32_t n = 2 * nodes;
    const size_t size = digits + 1u;
    char *text = allocate(n * size);
    const char **labels = allocate(n * sizeof *labels);
    float *count = allocate(n * sizeof *count);
    qac_node *node = allocate((nodes + 1) * sizeof *node);
    uint32_t *children = allocate(nodes * sizeof *children);
    double *node_count = allocate((nodes + 1) * sizeof *node_count);
    float *top = allocate((nodes + 1) * sizeof *top);
    for (uint32_t i = 0; i <= nodes; i++)
        top[i] = 1;
    for (uint32_t i = 0; i < n; i++) {
        snprintf(text + size * i, size, "%0*u", (int)digits, i % 10000000);
        labels[i] = text + size * i;
        count[i] = 1;
    }
    node[0] = (qac_node){.mass = n, .hi = n, .n_children = nodes};
    node_count[0] = n;
    for (uint32_t i = 0; i < nodes; i++) {
        node[i + 1] = (qac_node){.mass = 2, .lo = 2 * i, .hi = 2 * i + 2, .n_children = 2, .flags = QAC_NODE_LEAF};
        node_count[i + 1] = 2;
        children[i] = i + 1;
    }
    const double none[] = {0};
    add_labels(&s, labels, n, count);
    add_lengths(&s, labels, n);
    s.parts.tree.node = keep(&s, "node", node, (nodes + 1) * sizeof *node);
    s.parts.tree.nodes = nodes + 1;
    s.parts.tree.children = keep(&s, "children", children, nodes * sizeof *children);
    s.parts.tree.n_children = nodes;
    s.parts.node_count = keep(&s, "node_count", node_count, (nodes + 1) * sizeof *node_count);
    s.parts.top_weight = keep(&s, "top_weight", top, (nodes + 1) * sizeof *top);
    s.parts.top_count = keep(&s, "top_count", top, (nodes + 1) * sizeof *top);
    s.parts.member_mass = s.parts.member_count = KEEP(&s, none);
    free(text);
    free(labels);
    free(count);
    free(node);
    free(children);
    free(node_count);
    free(top);
    return s;
}

void free_sample(sample *s)
{
    for (int i = 0; i < s->n_arrays; i++)
        free(s->array[i].data);
}

qac_progress *make_progress(void)
{
    qac_progress *p = NULL;
    if (qac_progress_new(&p))
        abort();
    return p;
}

int ask_for(const qac_model *m, qac_scratch *s, const char *prefix, const char *session, uint32_t k, uint32_t beam,
            uint32_t options, qac_answer *answers, uint32_t *n)
{
    const size_t size = (size_t)k * 64;
    char *text = allocate(size);
    const int status =
        qac_complete(m, s, prefix, strlen(prefix), session, strlen(session), k, beam, options, answers, n, text, size);
    free(text);
    return status;
}

int ask(const qac_model *m, qac_scratch *s, const char *prefix, const char *session, uint32_t k, uint32_t beam,
        qac_answer *answers, uint32_t *n)
{
    return ask_for(m, s, prefix, session, k, beam, QAC_COMPOSE, answers, n);
}
