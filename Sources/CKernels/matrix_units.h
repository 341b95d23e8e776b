/* Whether this process may use the processor's matrix units (Intel AMX). The first call asks the
 * operating system for permission, which the process keeps. */
int ck_has_matrix_units(void);
