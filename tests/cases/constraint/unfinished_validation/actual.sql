CREATE TABLE public.t (n int);
ALTER TABLE public.t ADD CONSTRAINT small CHECK (n < 10) NOT VALID;
ALTER TABLE public.t ADD CONSTRAINT reconcile_not_null_n CHECK (n IS NOT NULL) NOT VALID;
