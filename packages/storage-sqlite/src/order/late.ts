/**
 * Of so many lanes, at most, it is written late where their markers stand, how many tasks they have, and what is left of the run of
 * which a part was taken: a claim changes all three of each lane that it takes from. Whoever reads the front looks at each of the
 * markers; and with more heavy keys each is met more seldom.
 */
export const mostLate = 16;
