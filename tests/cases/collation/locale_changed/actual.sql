CREATE COLLATION public.bytes (locale = 'C');
COMMENT ON COLLATION public.bytes IS 'byte by byte';
