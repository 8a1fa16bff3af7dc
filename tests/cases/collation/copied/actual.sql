CREATE COLLATION public.mine (lc_collate = 'C', lc_ctype = 'C.utf8');
CREATE COLLATION public.old (provider = libc, locale = 'C');
