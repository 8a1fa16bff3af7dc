CREATE TYPE public.point_of_mine AS (x int, y int);
CREATE CAST (public.point_of_mine AS text) WITH INOUT;
COMMENT ON CAST (public.point_of_mine AS text) IS 'as it looks';
