#include "entropy.h"

#include <string.h>

/* 256 * log2(i) for i from 1 to 256. */
static const uint16_t LOG2[257] = {
    0, 0, 256, 406, 512, 594, 662, 719, 768, 812, 850, 886, 918, 947, 975, 1000,
    1024, 1046, 1068, 1087, 1106, 1124, 1142, 1158, 1174, 1189, 1203, 1217, 1231, 1244, 1256, 1268,
    1280, 1291, 1302, 1313, 1324, 1334, 1343, 1353, 1362, 1372, 1380, 1389, 1398, 1406, 1414, 1422,
    1430, 1437, 1445, 1452, 1459, 1466, 1473, 1480, 1487, 1493, 1500, 1506, 1512, 1518, 1524, 1530,
    1536, 1542, 1547, 1553, 1558, 1564, 1569, 1574, 1580, 1585, 1590, 1595, 1599, 1604, 1609, 1614,
    1618, 1623, 1628, 1632, 1636, 1641, 1645, 1649, 1654, 1658, 1662, 1666, 1670, 1674, 1678, 1682,
    1686, 1690, 1693, 1697, 1701, 1705, 1708, 1712, 1715, 1719, 1722, 1726, 1729, 1733, 1736, 1739,
    1743, 1746, 1749, 1752, 1756, 1759, 1762, 1765, 1768, 1771, 1774, 1777, 1780, 1783, 1786, 1789,
    1792, 1795, 1798, 1801, 1803, 1806, 1809, 1812, 1814, 1817, 1820, 1822, 1825, 1828, 1830, 1833,
    1836, 1838, 1841, 1843, 1846, 1848, 1851, 1853, 1855, 1858, 1860, 1863, 1865, 1867, 1870, 1872,
    1874, 1877, 1879, 1881, 1884, 1886, 1888, 1890, 1892, 1895, 1897, 1899, 1901, 1903, 1905, 1908,
    1910, 1912, 1914, 1916, 1918, 1920, 1922, 1924, 1926, 1928, 1930, 1932, 1934, 1936, 1938, 1940,
    1942, 1944, 1946, 1947, 1949, 1951, 1953, 1955, 1957, 1959, 1961, 1962, 1964, 1966, 1968, 1970,
    1971, 1973, 1975, 1977, 1978, 1980, 1982, 1984, 1985, 1987, 1989, 1990, 1992, 1994, 1995, 1997,
    1999, 2000, 2002, 2004, 2005, 2007, 2008, 2010, 2012, 2013, 2015, 2016, 2018, 2020, 2021, 2023,
    2024, 2026, 2027, 2029, 2030, 2032, 2033, 2035, 2036, 2038, 2039, 2041, 2042, 2044, 2045, 2047,
    2048,
};

/* 256 * log2(value) for 0 (taken as 1) to 4096: the top eight bits decide. (ff_log2 of costs.h is rounded otherwise: with it
 * writer_typing takes 1.1 % more bytes.) */
static uint32_t log2_of(uint32_t value) {
    uint32_t shift = 0;
    while (value >> shift > 256)
        shift++;
    return LOG2[value >> shift] + 256 * shift;
}

/* Fibonacci hashing of four bytes to the 12 bits of a table of places. */
#define PLACE_BITS 12u
#define NO_PLACE UINT16_MAX
#define MIN_MATCH 4u
/* Of a match's length and distance, on average over recorded screens. */
#define BITS_PER_MATCH 9u

uint32_t ff_estimate_matches(const uint8_t *bytes, uint32_t count, uint32_t values) {
    uint16_t places[1u << PLACE_BITS];
    uint32_t literals = 0, matches = 0, i = 0;
    memset(places, 0xFF, sizeof places);
    while (i + MIN_MATCH <= count) {
        uint32_t four, length = 0;
        memcpy(&four, bytes + i, 4);
        uint16_t *place = &places[four * 0x9E3779B1u >> (32 - PLACE_BITS)];
        const uint32_t before = *place;
        *place = (uint16_t)i;
        while (before != NO_PLACE && i + length < count && bytes[before + length] == bytes[i + length])
            length++;
        if (length < MIN_MATCH) {
            literals++;
            i++;
        } else {
            matches++;
            i += length;
        }
    }
    literals += count - i;
    return matches * BITS_PER_MATCH + literals * log2_of(values) / 256;
}

/* Four histograms: equal neighbours would wait for each other. Where eight of them are equal, one addition does. (Counts of 16 bits
 * take a third longer.) */
typedef uint32_t histograms[4][256];

static void count_eight(histograms counts, const uint8_t *bytes) {
    uint64_t eight;
    memcpy(&eight, bytes, 8);
    if (eight == (eight & 255) * UINT64_C(0x0101010101010101))
        counts[0][eight & 255] += 8;
    else
        for (uint32_t i = 0; i < 8; i++)
            counts[i % 4][bytes[i]]++;
}

/* From so many bytes on a quarter of them tells enough. */
#define MANY_BYTES 1024u

/* Returns how many bytes were counted. */
static uint32_t count_bytes(histograms counts, const uint8_t *bytes, uint32_t count) {
    uint32_t i = 0;
    if (count >= MANY_BYTES) {
        /* In a whole tile, whose rows are 64 bytes, sixteen of each, from row to row the next sixteen. */
        for (; i + 256 <= count; i += 256)
            for (uint32_t row = 0; row < 4; row++) {
                count_eight(counts, bytes + i + row * 80);
                count_eight(counts, bytes + i + row * 80 + 8);
            }
        return i / 4;
    }
    for (; i + 8 <= count; i += 8)
        count_eight(counts, bytes + i);
    for (; i < count; i++)
        counts[0][bytes[i]]++;
    return count;
}

/* The sum of n * log2(n) over all counts, in 1/256, without a branch or a table, so that compilers take several at a time. */
static uint32_t sum_products(histograms counts) {
    int16_t numbers[256], logarithms[256];
    int32_t sum = 0;
    for (uint32_t value = 0; value < 256; value++)
        numbers[value] = (int16_t)(counts[0][value] + counts[1][value] + counts[2][value] + counts[3][value]);
    for (uint32_t value = 0; value < 256; value++) {
        const float number = numbers[value];
        uint32_t bits;
        memcpy(&bits, &number, sizeof bits);
        /* As ff_log2 does, but in 16 bits, of which processors multiply several at a time without AVX2: exponent and eight bits of the
         * mantissa, a logarithm that is straight between powers of two. It lacks about
         * 0.344 * m * (1 - m) at the mantissa m, here 88 / 256 of it. */
        bits >>= 15;
        const uint16_t mantissa = bits & 255, bulge = (uint16_t)(mantissa * (256 - mantissa));
        logarithms[value] = (int16_t)(bits - 127 * 256 + ((uint32_t)bulge * 88 >> 16));
    }
    for (uint32_t value = 0; value < 256; value++)
        sum += numbers[value] * logarithms[value]; /* 0 for those that do not occur */
    return (uint32_t)sum;
}

uint32_t ff_entropy(const uint8_t *bytes, uint32_t count) {
    histograms counts;
    memset(counts, 0, sizeof counts);
    const uint32_t counted = count_bytes(counts, bytes, count);
    const uint64_t all = (uint64_t)counted * log2_of(counted), products = sum_products(counts);
    return products < all ? (uint32_t)((all - products) * count / counted / 256) : 0;
}
