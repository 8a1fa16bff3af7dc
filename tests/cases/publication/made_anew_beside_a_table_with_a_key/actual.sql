CREATE TABLE public.t (a int PRIMARY KEY, b text);
CREATE TABLE public.u (a int PRIMARY KEY);
CREATE TABLE public.full_rows (a int);
ALTER TABLE public.full_rows REPLICA IDENTITY FULL;
CREATE PUBLICATION p FOR TABLE public.t WHERE (a > 3), public.u, public.full_rows;
