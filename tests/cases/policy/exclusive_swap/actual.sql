CREATE TABLE public.t (owner name, n int);
ALTER TABLE public.t ENABLE ROW LEVEL SECURITY;
CREATE POLICY old_one ON public.t FOR SELECT USING (owner = current_user);
CREATE POLICY old_two ON public.t AS RESTRICTIVE USING (n > 0);
