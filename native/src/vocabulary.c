/* vocabulary.c - from hashes to ids: buckets of sorted 32-bit keys.
 *
 * Half as many bytes as an open-addressing table would need for keys and ids alone: buckets are full, their numbers stand
 * for the first bits of the hashes in them, and ids are places. Of hashes that are in no table, 1 in 2^32 / (keys of a
 * bucket) is taken for one that is.
 */
#include "core.h"

static uint32_t bucket_of(uint64_t hash, uint32_t bits) { return (uint32_t)(hash >> (64 - bits)); }

static uint32_t key_of(uint64_t hash, uint32_t bits) { return (uint32_t)(hash >> (32 - bits)); }

uint32_t qac_keys_bits(uint32_t n)
{
    uint32_t bits = 1;
    while (bits < QAC_MAX_BITS && (uint64_t)n >> (bits + 3))
        bits++;
    return bits;
}

int qac_keys_build(const uint64_t *hash, uint32_t n, uint32_t bits, uint32_t *bucket_end, uint32_t *key, uint32_t *place,
                   uint32_t *kept)
{
    if (bits < 1 || bits > QAC_MAX_BITS)
        return QAC_EINVAL;
    const uint32_t buckets = (uint32_t)1 << bits;
    uint32_t out = 0, bucket = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i && hash[i] <= hash[i - 1])
            return QAC_EINVAL;
        for (; bucket < bucket_of(hash[i], bits); bucket++)
            bucket_end[bucket] = out;
        if (i && hash[i] >> (32 - bits) == hash[i - 1] >> (32 - bits))
            continue;
        key[out] = key_of(hash[i], bits);
        place[out++] = i;
    }
    for (; bucket < buckets; bucket++)
        bucket_end[bucket] = out;
    *kept = out;
    return QAC_OK;
}

uint32_t qac_keys_find(const qac_keys *k, uint64_t hash)
{
    if (k->n == 0)
        return QAC_NO_ID;
    const uint32_t bucket = bucket_of(hash, k->bits), key = key_of(hash, k->bits);
    const uint32_t begin = bucket ? k->bucket_end[bucket - 1] : 0, end = k->bucket_end[bucket];
    if (begin > end || end > k->n) /* only in a damaged file */
        return QAC_NO_ID;
    const uint32_t at = qac_lower_bound(k->key, begin, end, key);
    if (at == end || k->key[at] != key)
        return QAC_NO_ID;
    return k->id ? k->id[at] : at;
}
