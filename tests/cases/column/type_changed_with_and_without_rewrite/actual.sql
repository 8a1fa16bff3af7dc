CREATE TABLE public.t (a varchar(10), b varchar(10), c int, d numeric(10,2), e text DEFAULT '1', f timestamp);
CREATE INDEX t_b ON public.t (b);
ALTER TABLE public.t ALTER b SET STORAGE external;
