/* test_damage.c - models that contradict themselves: refused when opened or, where only reading shows it, harmless. */
#include <math.h>

#include "test.h"

static qac_node *nodes_of(sample *s) { return (qac_node *)s->parts.tree.node; }

static void vocabulary_of_one_bucket(sample *s) { s->parts.session_vocabulary.keys.bits = 0; }
static void vocabulary_of_too_many_buckets(sample *s) { s->parts.session_vocabulary.keys.bits = 31; }
static void prefix_vocabulary_without_buckets(sample *s) { s->parts.prefix_vocabulary.keys.n = 1; }
static void factor_zero(sample *s) { ((double *)s->parts.length_factor)[255] = 0; }
static void factor_infinite(sample *s) { ((double *)s->parts.length_factor)[0] = INFINITY; }
static void factor_not_a_number(sample *s) { ((double *)s->parts.length_factor)[7] = NAN; }
static void ngrams_of_nothing(sample *s) { s->parts.prefix.min_n = 0; }
static void ngrams_backwards(sample *s) { s->parts.prefix.min_n = 2; }
static void ngrams_too_long(sample *s) { s->parts.prefix.max_n = 65; }
static void no_history(sample *s) { s->parts.session.history = 0; }
static void growing_with_age(sample *s) { s->parts.session.age_decay = 2; }
static void age_not_a_number(sample *s) { s->parts.session.age_decay = NAN; }
static void growing_with_position(sample *s) { s->parts.prefix.position_decay = -1; }
static void repeat_negative(sample *s) { s->parts.repeat_weight = -1; }
static void repeat_too_large(sample *s) { s->parts.repeat_weight = 1.5f; }
static void repeat_not_a_number(sample *s) { s->parts.repeat_weight = NAN; }
static void no_such_loss(sample *s) { s->parts.loss = 2; }
static void no_nodes(sample *s) { s->parts.tree.nodes = 0; }
static void no_labels(sample *s) { s->parts.tree.labels = 0; }
static void too_many_labels(sample *s) { s->parts.tree.labels = QAC_CHILD_LABEL; }
static void empty_range(sample *s) { nodes_of(s)[2].hi = 6; }
static void backward_range(sample *s) { nodes_of(s)[2].lo = 9; }
static void range_beyond_labels(sample *s) { nodes_of(s)[2].hi = 9; }
static void range_beyond_members(sample *s) { nodes_of(s)[4].hi = 7; }
static void no_children(sample *s) { nodes_of(s)[0].n_children = 0; }
static void blocks_beyond_the_end(sample *s) { nodes_of(s)[2].n_blocks = 2; }
static void blocks_that_overflow(sample *s) { nodes_of(s)[2].block = UINT32_MAX; }
static void no_mass(sample *s) { nodes_of(s)[3].mass = 0; }
static void negative_mass(sample *s) { nodes_of(s)[3].mass = -1; }
static void mass_not_a_number(sample *s) { nodes_of(s)[3].mass = NAN; }
static void leaf_with_fewer_children(sample *s) { nodes_of(s)[2].n_children = 1; }
static void children_beyond_the_end(sample *s) { nodes_of(s)[1].n_children = 3; }
static void children_that_overflow(sample *s) { nodes_of(s)[1].child = UINT32_MAX; }
static void child_out_of_order(sample *s) { ((uint32_t *)s->parts.tree.children)[2] = 4; }
static void child_twice(sample *s) { ((uint32_t *)s->parts.tree.children)[3] = 3; }
static void child_of_its_own(sample *s) { ((uint32_t *)s->parts.tree.children)[2] = 1; }
static void child_no_such_label(sample *s) { ((uint32_t *)s->parts.tree.children)[0] = QAC_CHILD_LABEL | 8; }
static void node_without_parent(sample *s) { ((uint32_t *)s->parts.tree.children)[3] = QAC_CHILD_LABEL | 1; }
static void member_no_such_label(sample *s) { ((uint32_t *)s->parts.tree.members)[5] = 8; }
static void root_with_fewer_labels(sample *s) { nodes_of(s)[0].hi = 7; }
static void root_begins_late(sample *s) { nodes_of(s)[0].lo = 1; }
static void root_of_clusters(sample *s) { nodes_of(s)[0].flags = QAC_NODE_CLUSTERED; }

static void composer_of_one_symbol(sample *s) { s->parts.composer.word.order = 1; }
static void composer_of_too_many_symbols(sample *s) { s->parts.composer.word.order = 9; }
static void composer_without_words(sample *s) { s->parts.composer.word.words = 0; }
static void fewer_contexts_than_symbols(sample *s) { s->parts.composer.character.contexts = 7; }
static void too_many_entries(sample *s) { s->parts.composer.word.entries = QAC_CHILD_LABEL; }
static void too_many_words(sample *s) { s->parts.composer.word.words = QAC_CHILD_LABEL; }
static void too_many_bits_of_words(sample *s) { s->parts.composer.word_keys.bits = QAC_MAX_BITS + 1; }
static void fewer_entries_than_contexts(sample *s) { s->parts.composer.character.entries = 1; }
static void more_links_than_contexts(sample *s) { s->parts.composer.character.n_shorter = UINT32_MAX; }
static void links_of_symbols(sample *s)
{
    qac_ngrams *g = &s->parts.composer.word;
    g->n_shorter = g->contexts - g->words - 1;
}
static void symbols_of_no_bytes(sample *s) { s->parts.composer.word.symbol_bytes = 0; }
static void symbols_of_four_bytes(sample *s) { s->parts.composer.word.symbol_bytes = 4; }
static void share_too_large(sample *s) { s->parts.composer.share = 1.5; }
static void share_not_a_number(sample *s) { s->parts.composer.share = NAN; }
static void new_query_never(sample *s) { s->parts.composer.new_query = 0; }
static void new_query_not_a_number(sample *s) { s->parts.composer.new_query = NAN; }
static void unknown_negative(sample *s) { s->parts.composer.unknown = -1; }
static void copies_too_often(sample *s) { s->parts.composer.copy_some = 0.9; }
static void copies_not_a_number(sample *s) { s->parts.composer.copy_start = NAN; }
static void copies_less_than_never(sample *s) { s->parts.composer.copy_all = -0.1; }
static void copies_none_negative(sample *s) { s->parts.composer.copy_none = -0.1; }
static void older_negative(sample *s) { s->parts.composer.older[0] = -0.1; }
static void older_too_often(sample *s) { s->parts.composer.older[QAC_MAX_AGE - 1] = 1.1; }
static void older_not_a_number(sample *s) { s->parts.composer.older[1] = NAN; }
static void recalls_too_often(sample *s) { s->parts.recall[QAC_MAX_AGE - 1] = 1.1; }
static void associates_negative(sample *s) { s->parts.composer.associate = -0.1; }
static void spelling_negative(sample *s) { s->parts.composer.spelling = -0.1; }
static void spelling_too_large(sample *s) { s->parts.composer.spelling = 1.1; }
static void spelling_not_a_number(sample *s) { s->parts.composer.spelling = NAN; }
static void length_discount_not_a_number(sample *s) { s->parts.composer.length_discount = NAN; }
static void weights_of_one_bit(sample *s) { s->parts.rows.weight_bits = QAC_MIN_WEIGHT_BITS - 1; }
static void weights_of_nine_bits(sample *s) { s->parts.rows.weight_bits = QAC_MAX_WEIGHT_BITS + 1; }
static void length_scale_infinite(sample *s) { s->parts.composer.length_scale = INFINITY; }

static void test_open(void)
{
    void (*const damages[])(sample *) = {
        vocabulary_of_one_bucket, vocabulary_of_too_many_buckets, prefix_vocabulary_without_buckets, factor_zero,
        factor_infinite, factor_not_a_number, ngrams_of_nothing,
        ngrams_backwards, ngrams_too_long, no_history, growing_with_age, age_not_a_number, growing_with_position,
        repeat_negative, repeat_too_large, repeat_not_a_number, no_such_loss, no_nodes, no_labels, too_many_labels, empty_range,
        backward_range, range_beyond_labels, range_beyond_members, no_children, blocks_beyond_the_end, blocks_that_overflow,
        no_mass, negative_mass, mass_not_a_number, leaf_with_fewer_children, children_beyond_the_end,
        children_that_overflow, child_out_of_order, child_twice, child_of_its_own, child_no_such_label,
        node_without_parent, member_no_such_label, root_with_fewer_labels, root_begins_late, root_of_clusters,
        composer_of_one_symbol, composer_of_too_many_symbols, composer_without_words, fewer_contexts_than_symbols,
        too_many_entries, too_many_words, too_many_bits_of_words, fewer_entries_than_contexts,
        more_links_than_contexts, links_of_symbols, symbols_of_no_bytes, symbols_of_four_bytes, share_too_large,
        share_not_a_number, new_query_never, new_query_not_a_number,
        unknown_negative, copies_too_often, copies_not_a_number, copies_less_than_never, copies_none_negative,
        older_negative, older_too_often, older_not_a_number, recalls_too_often, associates_negative, spelling_negative,
        spelling_too_large, spelling_not_a_number, length_discount_not_a_number, length_scale_infinite, weights_of_one_bit, weights_of_nine_bits,
    };
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        sample s = make_composing_sample();
        damages[i](&s);
        qac_model *m = NULL;
        const int status = qac_model_open(&s.parts, &m);
        if (status != QAC_ECORRUPT)
            fprintf(stderr, "damage %zu gives %s\n", i, qac_strerror(status));
        CHECK(status == QAC_ECORRUPT && m == NULL);
        if (status == QAC_OK)
            qac_model_close(m);
        free_sample(&s);
    }
}

/* Everything a caller can do; the sanitizers watch. */
static void use(const sample *s)
{
    static const char *const prefixes[] = {"", "a", "abf", "bcd", "zz", "x a", "xyb a ", "abx", "bcdee"};
    static const char *const sessions[] = {"", "x", "bcde\ny x", "a bcde zx\xC3\xA9"};
    static qac_feature features[2 * QAC_MAX_TERMS + 1];
    qac_model *m;
    const int opened = qac_model_open(&s->parts, &m);
    CHECK(opened == QAC_OK || opened == QAC_ECORRUPT);
    if (opened)
        return;
    qac_scratch *w;
    CHECK(qac_scratch_new(m, &w) == QAC_OK);
    for (size_t p = 0; p < sizeof prefixes / sizeof *prefixes; p++) {
        for (size_t i = 0; i < sizeof sessions / sizeof *sessions; i++) {
            qac_answer answers[8];
            uint32_t n, n_features, n_steps, n_pushes;
            for (uint32_t beam = 0; beam < 2; beam++) {
                const uint32_t options = beam ? QAC_COMPOSE : QAC_COMPOSE | QAC_CORRECT;
                const int status = ask_for(m, w, prefixes[p], sessions[i], 8, beam, options, answers, &n);
                CHECK(status == QAC_OK || status == QAC_ECORRUPT || status == QAC_EINVAL);
                CHECK(n <= 8);
                for (uint32_t a = 0; a < n; a++)
                    CHECK((answers[a].label < 8 || answers[a].label == QAC_NO_ID) && answers[a].score >= 0);
            }
            qac_step steps[4];
            qac_push pushes[4];
            for (uint32_t label = 0; label < 8; label += 3)
                qac_explain(m, w, prefixes[p], strlen(prefixes[p]), sessions[i], strlen(sessions[i]), 1, label, features,
                            &n_features, steps, 4, &n_steps, pushes, 4, &n_pushes);
        }
    }
    char text[8];
    size_t len;
    for (uint32_t label = 0; label < 9; label++)
        qac_label_text(m, label, text, sizeof text, &len);
    qac_find_label(m, "abd", 3);
    qac_scratch_free(w);
    qac_model_close(m);
}

/* Each byte of each array in turn takes wrong values. */
static void test_every_byte(void)
{
    sample s = make_composing_sample();
    for (int i = 0; i < s.n_arrays; i++) {
        uint8_t *bytes = s.array[i].data;
        for (size_t at = 0; at < s.array[i].size; at++) {
            const uint8_t right = bytes[at];
            const uint8_t wrong[] = {(uint8_t)(right ^ 1), (uint8_t)(right ^ 0x80), 0, 0x7F, 0xFF, (uint8_t)(right + 1)};
            for (size_t j = 0; j < sizeof wrong; j++) {
                bytes[at] = wrong[j];
                use(&s);
            }
            bytes[at] = right;
        }
    }
    use(&s);
    free_sample(&s);
}

static void use_with(const sample *s, uint32_t *at, uint32_t wrong)
{
    const uint32_t right = *at;
    *at = wrong;
    use(s);
    *at = right;
}

/* Links that lead forward, back to themselves, in a circle or outside; children of nodes that are others', or none. */
static void test_tries(void)
{
    sample s = make_composing_sample();
    const qac_ngrams *const models[] = {&s.parts.composer.word, &s.parts.composer.character};
    for (int m = 0; m < 2; m++) {
        const qac_ngrams *g = models[m];
        const uint32_t first = g->words + 2, links = g->n_shorter;
        uint32_t *shorter = (uint32_t *)g->shorter, *child_end = (uint32_t *)g->child_end;
        const uint32_t wrong[] = {0, g->words, g->words + 1, first, g->contexts - 1, g->contexts, g->entries,
                                  first + g->entries, QAC_CHILD_LABEL, UINT32_MAX - 1, UINT32_MAX};
        for (size_t w = 0; w < sizeof wrong / sizeof *wrong; w++) {
            for (uint32_t i = 0; i < links; i++)
                use_with(&s, &shorter[i], wrong[w]);
            for (uint32_t i = 0; i < g->contexts; i++)
                use_with(&s, &child_end[i], wrong[w]);
        }
        uint32_t kept[32];
        CHECK(links <= 32);
        for (uint32_t i = 0; i < links; i++)
            kept[i] = shorter[i];
        for (uint32_t by = 0; by < links; by++) { /* 0: each to itself */
            for (uint32_t i = 0; i < links; i++)
                shorter[i] = g->contexts - links + (i + by) % links;
            use(&s);
        }
        for (uint32_t i = 0; i < links; i++)
            shorter[i] = kept[i];
    }
    free_sample(&s);
}

/* Several at once. */
static void test_random_bytes(void)
{
    for (uint32_t round = 0; round < 4000; round++) {
        sample s = make_composing_sample();
        s.parts.loss = round % 2 ? QAC_LOSS_HINGE : QAC_LOSS_SOFTMAX;
        s.parts.filters = round / 2 % 2;
        for (uint32_t n = 1 + random_below(6); n > 0; n--) {
            const uint32_t i = random_below((uint32_t)s.n_arrays);
            uint8_t *bytes = s.array[i].data;
            bytes[random_below((uint32_t)s.array[i].size)] = (uint8_t)(random_below(2) ? random_bits() : random_below(9));
        }
        use(&s);
        free_sample(&s);
    }
}

void test_damage(void)
{
    test_open();
    test_every_byte();
    test_tries();
    test_random_bytes();
}
