/* Returns whether this process may use the processor's matrix units (Intel AMX). The first call
 * requests permission from the operating system. The process keeps the permission. */
int ck_has_matrix_units(void);
