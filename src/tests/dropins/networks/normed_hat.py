import torch

class Net(torch.nn.Module):
    """ A gated network with batch normalisation: one layer for all tasks, and one for each """
    def __init__(self,inputsize,taskcla,nhid=50):
        super(Net,self).__init__()
        ncha,size,_=inputsize
        self.taskcla=taskcla
        self.relu=torch.nn.ReLU()
        self.gate=torch.nn.Sigmoid()
        self.fc1=torch.nn.Linear(ncha*size*size,nhid)
        self.fc2=torch.nn.Linear(nhid,nhid)
        self.bn1=torch.nn.BatchNorm1d(nhid)
        self.bn2=torch.nn.ModuleList([torch.nn.BatchNorm1d(nhid,affine=False) for _ in taskcla])
        self.efc1=torch.nn.Embedding(len(taskcla),nhid)
        self.efc2=torch.nn.Embedding(len(taskcla),nhid)
        self.last=torch.nn.ModuleList([torch.nn.Linear(nhid,n) for _,n in taskcla])

    def forward(self,t,x,s=1):
        masks=self.mask(t,s=s)
        h=self.relu(self.bn1(self.fc1(x.view(x.size(0),-1))))*masks[0]
        h=self.relu(self.bn2[int(t)](self.fc2(h)))*masks[1]
        return [last(h) for last in self.last],masks

    def mask(self,t,s=1):
        return [self.gate(s*self.efc1(t)),self.gate(s*self.efc2(t))]

    def get_view_for(self,n,masks):
        first,second=masks
        if n=='fc2.weight':
            return torch.min(second.data.view(-1,1),first.data.view(1,-1))
        if n.startswith(('fc1','bn1')):
            return first.data.view(-1,*[1]*(n=='fc1.weight'))
        return second.data.view(-1) if n=='fc2.bias' else None
