CREATE TABLE public.p (k int, v int) PARTITION BY LIST (k);
CREATE TABLE public.p1 PARTITION OF public.p (CONSTRAINT positive CHECK (v > 0)) FOR VALUES IN (1);
CREATE TABLE public.p2 PARTITION OF public.p FOR VALUES IN (2);
COMMENT ON CONSTRAINT positive ON public.p1 IS 'its own';
