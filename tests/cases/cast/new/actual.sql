CREATE TYPE public.point_of_mine AS (x int, y int);
