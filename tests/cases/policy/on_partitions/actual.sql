CREATE TABLE public.notes (id integer, owner text) PARTITION BY HASH (id);
CREATE TABLE public.notes_0 PARTITION OF public.notes FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE POLICY own ON public.notes USING (owner = CURRENT_USER);
